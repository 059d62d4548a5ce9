#include "transport/report_codec.h"

namespace pgwalship {
namespace {

std::size_t read_count(Fields& in) {
  const std::size_t count = in.u16();
  in.require(count <= kReportNodesMax);
  return in.ok() ? count : 0;
}

}  // namespace

void write_fields(const ReconcileQuery& message, ByteWriter& out) {
  out.u64(message.id);
  out.text(message.peer);
}

void read_fields(Fields& in, ReconcileQuery& message) {
  message.id = in.u64();
  message.peer = in.text();
}

void write_fields(const ReconcileReport& message, ByteWriter& out) {
  CHECK(message.nodes.size() <= kReportNodesMax);
  out.u64(message.id);
  out.u8(message.last ? 1 : 0);
  out.u16(static_cast<std::uint16_t>(message.nodes.size()));
  for (const ReconcileReport::Node& node : message.nodes) {
    out.text(node.name);
    out.u8(number_of(node.state));
    out.u64(node.received);
    out.u64(node.to_receive);
    out.u64(node.sent);
    out.u64(node.to_send);
    out.u64(node.conflicts);
    out.text(node.why);
  }
}

void read_fields(Fields& in, ReconcileReport& message) {
  message.id = in.u64();
  message.last = in.flag();
  message.nodes.resize(read_count(in));
  for (ReconcileReport::Node& node : message.nodes) {
    node.name = in.text();
    node.state = in.one_of(ReconcileReport::State::kGoesOn, ReconcileReport::State::kUnreachable);
    node.received = in.u64();
    node.to_receive = in.u64();
    node.sent = in.u64();
    node.to_send = in.u64();
    node.conflicts = in.u64();
    node.why = in.text();
  }
}

void write_fields(const ProbeQuery& message, ByteWriter& out) {
  out.u64(message.id);
  out.u32(message.wait_ms);
}

void read_fields(Fields& in, ProbeQuery& message) {
  message.id = in.u64();
  message.wait_ms = in.u32();
}

void write_fields(const ProbeReport& message, ByteWriter& out) {
  CHECK(message.nodes.size() <= kReportNodesMax);
  out.u64(message.id);
  out.u8(message.held ? 1 : 0);
  out.u64(message.elapsed_us);
  out.u16(static_cast<std::uint16_t>(message.nodes.size()));
  for (const ProbeReport::Node& node : message.nodes) {
    out.text(node.name);
    out.u8(number_of(node.state));
    out.u64(node.elapsed_us);
    out.text(node.why);
  }
}

void read_fields(Fields& in, ProbeReport& message) {
  message.id = in.u64();
  message.held = in.flag();
  message.elapsed_us = in.u64();
  message.nodes.resize(read_count(in));
  for (ProbeReport::Node& node : message.nodes) {
    node.name = in.text();
    node.state = in.one_of(ProbeReport::State::kDurable, ProbeReport::State::kFailed);
    node.elapsed_us = in.u64();
    node.why = in.text();
  }
}

}  // namespace pgwalship
