// The payloads of transport/report_messages.h, as docs/protocol.md has them. write_fields and
// read_fields are inverses; `in.ok()` tells whether what was read is one.
#pragma once

#include "transport/message_fields.h"
#include "transport/report_messages.h"

namespace pgwalship {

void write_fields(const ReconcileQuery& message, ByteWriter& out);
void write_fields(const ReconcileReport& message, ByteWriter& out);
void write_fields(const ProbeQuery& message, ByteWriter& out);
void write_fields(const ProbeReport& message, ByteWriter& out);

void read_fields(Fields& in, ReconcileQuery& message);
void read_fields(Fields& in, ReconcileReport& message);
void read_fields(Fields& in, ProbeQuery& message);
void read_fields(Fields& in, ProbeReport& message);

}  // namespace pgwalship
