#include "transport/messages.h"

#include "base/random.h"
#include "tests/transport/message_samples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

namespace pgwalship {
namespace {

Bytes encoded(const Message& message) {
  Bytes out;
  encode(message, out);
  return out;
}

Frame frame_of(const Message& message) {
  FrameDecoder decoder;
  decoder.feed(encoded(message));
  return decoder.next().value().value();
}

bool is_refused(const Frame& frame) {
  const auto message = decode(frame);
  return !message.ok() && message.error().code == Errc::kProtocol;
}

// The samples are spread over all fields, so equal encodings are equal messages; single fields are
// compared where it matters most.
TEST(Messages, EachRoundTrips) {
  std::set<std::size_t> seen;
  for (const Message& message : sample_messages()) {
    const Frame frame = frame_of(message);
    const auto back = decode(frame);
    ASSERT_TRUE(back.ok()) << "type " << int{frame.type} << ": " << back.error().message;
    ASSERT_TRUE(back.value().has_value());
    EXPECT_EQ(back.value()->index(), message.index());
    EXPECT_EQ(encoded(*back.value()), encoded(message)) << "type " << int{frame.type};
    seen.insert(message.index());
  }
  EXPECT_EQ(seen.size(), std::variant_size_v<Message>);
}

TEST(Messages, HaveTheNumbersOfTheDocument) {
  EXPECT_EQ(frame_of(Hello{}).type, 1);
  EXPECT_EQ(frame_of(Failure{}).type, 2);
  EXPECT_EQ(frame_of(Put{0, wal_name("00000002.history"), 0, {}}).type, 3);
  EXPECT_EQ(frame_of(Done{}).type, 6);
  EXPECT_EQ(frame_of(Ping{}).type, 15);
  EXPECT_EQ(frame_of(StatusReport{}).type, 20);
  EXPECT_EQ(frame_of(CompareRanges{1, {0, {{}}}}).type, 21);
  EXPECT_EQ(frame_of(CompareResult{1, false, 0, 0, {0, {SameRange{}}}}).type, 22);
  EXPECT_EQ(frame_of(OfferDeclined{}).type, 24);
  EXPECT_EQ(frame_of(ExpireQuery{}).type, 26);
  EXPECT_EQ(frame_of(ExpireReport{}).type, 27);
  EXPECT_EQ(frame_of(ClaimDeclined{}).type, 29);
  EXPECT_EQ(frame_of(MachineQuery{}).type, 30);
  EXPECT_EQ(frame_of(MachineFacts{}).type, 31);
  EXPECT_EQ(frame_of(Probe{1, Bytes(1)}).type, 12);
  EXPECT_EQ(frame_of(ProbeAnswer{1, Bytes(1)}).type, 13);
  EXPECT_EQ(frame_of(ReconcileQuery{}).type, 32);
  EXPECT_EQ(frame_of(ReconcileReport{}).type, 33);
  EXPECT_EQ(frame_of(ProbeQuery{}).type, 34);
  EXPECT_EQ(frame_of(ProbeReport{}).type, 35);
}

TEST(Messages, KeepEveryFieldOfHello) {
  const Hello sent = sample_hello();
  const auto hello = std::get<Hello>(*decode(frame_of(sent)).value());
  EXPECT_EQ(hello.version, kProtocolVersion);
  EXPECT_EQ(hello.version_min, kProtocolVersionMin);
  EXPECT_EQ(hello.capabilities, sent.capabilities);
  EXPECT_EQ(hello.role, sent.role);
  EXPECT_EQ(hello.software, sent.software);
  EXPECT_EQ(hello.cluster, sent.cluster);
  EXPECT_EQ(hello.node, sent.node);
  EXPECT_EQ(hello.system_id, sent.system_id);
  EXPECT_EQ(hello.config_digest, sent.config_digest);
  EXPECT_TRUE(hello.reconciled);
  EXPECT_EQ(hello.compression_level, 1);
}

TEST(Messages, KeepEveryFieldOfPutAndDone) {
  const auto put = std::get<Put>(
      *decode(frame_of(Put{7, wal_name("000000030000000A00000001"), 99, sample_facts()})).value());
  EXPECT_EQ(put.id, 7U);
  EXPECT_EQ(put.name.text(), "000000030000000A00000001");
  EXPECT_EQ(put.file_bytes, 99U);
  EXPECT_EQ(put.facts, sample_facts());
  const auto done = std::get<Done>(
      *decode(frame_of(Done{8, {}, Error{Errc::kNoSpace, "message", "hint"}, {}})).value());
  EXPECT_EQ(done.id, 8U);
  ASSERT_TRUE(done.error.has_value());
  EXPECT_EQ(done.error->code, Errc::kNoSpace);
  EXPECT_EQ(done.error->message, "message");
  EXPECT_EQ(done.error->hint, "hint");
}

bool ends_in_bytes(const Message& message) {
  return std::holds_alternative<Data>(message) || std::holds_alternative<StatusReport>(message) ||
         std::holds_alternative<Probe>(message) || std::holds_alternative<ProbeAnswer>(message);
}

TEST(Messages, AreRefusedAtEveryTruncation) {
  constexpr std::size_t kOpenEndedBytesMin = 9;
  for (const Message& message : sample_messages()) {
    const Frame whole = frame_of(message);
    const bool open_ended = ends_in_bytes(message);
    for (std::size_t size = 0; size < whole.payload.size(); ++size) {
      Frame cut = whole;
      cut.payload.resize(size);
      EXPECT_EQ(is_refused(cut), !open_ended || size < kOpenEndedBytesMin)
          << "type " << int{whole.type} << " cut to " << size;
    }
  }
}

TEST(Messages, AreRefusedWithTrailingBytes) {
  for (const Message& message : sample_messages()) {
    Frame longer = frame_of(message);
    longer.payload.push_back(std::byte{0});
    const bool open_ended = std::holds_alternative<Hello>(message) || ends_in_bytes(message);
    EXPECT_EQ(is_refused(longer), !open_ended) << "type " << int{longer.type};
  }
}

TEST(Messages, RefuseNumbersOutOfRange) {
  struct Case {
    const char* what;
    Message message;
    std::size_t offset;
    std::uint8_t value;
  };
  const Case cases[] = {
      {"magic", sample_hello(), 0, 'p'},
      {"role 0", sample_hello(), 16, 0},
      {"role 5", sample_hello(), 16, 5},
      {"error code", Failure{}, 0, 10},
      {"outcome between", Done{}, 8, 3},
      {"outcome below the errors", Done{}, 8, 127},
      {"outcome error code", Done{}, 8, 128 + 10},
      {"hint beside success", Done{1, {}, Error{Errc::kIo, "x", "y"}, {}}, 8, 0},
      {"presence", StatResult{}, 8, 5},
      {"verdict", FetchResult{}, 8, 5},
      {"urgency", Get{1, wal_name("00000002.history")}, 8 + 2 + 16, 2},
      {"format of a report", StatusQuery{}, 8, 2},
      {"more in a report", StatusReport{}, 8, 2},
      {"expire mode", ExpireQuery{}, 8, 2},
      {"expire outcome", ExpireReport{}, 8, 4},
      {"name", Get{1, wal_name("00000002.history")}, 10, 'x'},
      {"reconciled", CompareResult{1, false, 0, 0, {0, {SameRange{}}}}, 8, 2},
      {"no ranges", CompareResult{1, false, 0, 0, {0, {SameRange{}}}}, 33, 0},
      {"more ranges", CompareResult{1, false, 0, 0, {0, {SameRange{}}}}, 33, 2},
      {"kind of answer", CompareResult{1, false, 0, 0, {0, {SameRange{}}}}, 35, 3},
      {"one part", CompareResult{1, false, 0, 0, {0, {SplitRange{{{}}, {{}, {}}}}}}, 36, 1},
      {"asked about nothing", CompareRanges{1, {0, {{}}}}, 16, 0},
      {"a range that ends before it begins", CompareRanges{1, {0, {{}}}}, 25, 0xFF},
  };
  for (const Case& c : cases) {
    Frame frame = frame_of(c.message);
    ASSERT_FALSE(is_refused(frame)) << c.what;
    frame.payload.at(c.offset) = std::byte{c.value};
    EXPECT_TRUE(is_refused(frame)) << c.what;
  }
}

TEST(Messages, H10RefuseNamesThatAreNoWalNames) {
  for (const char* name : {"../../etc/passwd", "", "00000001000000000000000a",
                           "000000010000000000000001.gz", "000000010000000000000001\n"}) {
    ByteWriter payload;
    payload.u64(1);
    payload.text(name);
    EXPECT_TRUE(is_refused(Frame{7, payload.take()})) << name;
  }
}

TEST(Messages, TheFullestComparisonFitsAFrame) {
  CompareRanges asked{1, {0, {}}};
  ListedRange listed;
  for (std::uint64_t i = 0; i < kRangeListedMax; ++i) {
    listed.items.push_back({{.lane = 2, .position = i}, {}});
  }
  SplitRange split;
  for (std::uint64_t i = 0; i < kRangePartsMax; ++i) {
    split.parts.push_back({1, i, i});
    split.cuts.push_back({.lane = 2, .position = i});
  }
  split.cuts.pop_back();
  CompareResult result{1, false, 0, 0, {0, {}}};
  for (std::uint64_t i = 0; i < kAskedRangesMax; ++i) {
    asked.query.ranges.push_back(
        {{{.lane = 2, .position = i}, {.lane = 2, .position = i + 1}}, {}});
    const bool full = i >= kAnswerItemsMax / kRangePartsMax;
    result.answer.ranges.push_back(full ? RangeAnswer(SameRange{}) : RangeAnswer(split));
  }
  EXPECT_FALSE(is_refused(frame_of(asked)));
  EXPECT_FALSE(is_refused(frame_of(result)));
  asked.query.ranges[3].range.first.position = 0;
  EXPECT_TRUE(is_refused(frame_of(asked))) << "it overlaps with another";
}

// What peers say goes on in a report of the daemon.
TEST(Messages, H47TheLongestWordsOfAllPeersFitAFrame) {
  const std::string longest(65'000, 'x');
  const Message heard =
      *decode(frame_of(Done{1, {}, Error{Errc::kIo, longest, longest}, {}})).value();
  const Error error = *std::get<Done>(heard).error;
  EXPECT_LT(error.message.size(), longest.size());
  ProbeReport probe;
  ReconcileReport reconcile;
  for (std::size_t i = 0; i < kReportNodesMax; ++i) {
    const std::string name(255, 'n');
    probe.nodes.push_back({.name = name, .why = error.within("connection lost").text()});
    reconcile.nodes.push_back({.name = name, .why = error.within("connection lost").text()});
  }
  EXPECT_LE(frame_of(probe).payload.size(), kFramePayloadMax);
  EXPECT_LE(frame_of(reconcile).payload.size(), kFramePayloadMax);
}

TEST(Messages, RefuseDataOverItsLimitAndOrigins) {
  EXPECT_FALSE(is_refused(frame_of(Data{1, Bytes(kDataBytesMax)})));
  Frame data = frame_of(Data{1, Bytes(kDataBytesMax)});
  data.payload.push_back(std::byte{});
  EXPECT_TRUE(is_refused(data));
  GetBegin begin;
  begin.facts.origin.assign(255, 'x');
  EXPECT_FALSE(is_refused(frame_of(begin)));
  begin.facts.origin.assign(256, 'x');
  EXPECT_TRUE(is_refused(frame_of(begin)));
}

TEST(Messages, H45SkipUnknownTypesOnlyWhenTheyAreOptional) {
  for (unsigned type = 0; type < 256; ++type) {
    const Frame frame{static_cast<std::uint8_t>(type), Bytes(3)};
    if ((type >= 1 && type <= 22 && type != 12 && type != 13) || (type >= 25 && type <= 27)) {
      continue;
    }
    const auto message = decode(frame);
    if (type >= 128) {
      ASSERT_TRUE(message.ok()) << type;
      EXPECT_FALSE(message.value().has_value()) << type;
    } else {
      EXPECT_TRUE(is_refused(frame)) << type;
    }
  }
}

TEST(Messages, H45HelloOfALaterVersionMayBeLonger) {
  Hello later = sample_hello();
  later.version = 2;
  Frame frame = frame_of(later);
  frame.payload.insert(frame.payload.end(), 100, std::byte{0xEE});
  const auto message = decode(frame);
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(std::get<Hello>(*message.value()).node, later.node);
}

// What is taken is exactly what would have been sent: nothing has two spellings.
TEST(Messages, H47SurviveRandomGarbage) {
  Random random(4711);
  const std::vector<Message> samples = sample_messages();
  int taken = 0;
  for (int round = 0; round < 100000; ++round) {
    Frame frame = frame_of(samples[random.below(samples.size())]);
    for (std::uint64_t changes = random.below(4); changes > 0; --changes) {
      if (random.one_in(4)) {
        frame.payload.resize(random.below(2 * frame.payload.size() + 1));
      } else if (!frame.payload.empty()) {
        frame.payload[random.below(frame.payload.size())] = static_cast<std::byte>(random.next());
      }
    }
    if (random.one_in(8)) {
      frame.type = static_cast<std::uint8_t>(random.next());
    }
    const auto message = decode(frame);
    if (!message.ok()) {
      ASSERT_EQ(message.error().code, Errc::kProtocol);
      continue;
    }
    if (message.value() && !std::holds_alternative<Hello>(*message.value())) {
      ++taken;
      ASSERT_EQ(frame_of(*message.value()).payload, frame.payload) << "type " << int{frame.type};
    }
  }
  EXPECT_GT(taken, 1000);
}

// docs/protocol.md section 6 shows a frame byte for byte.
TEST(ProtocolDocument, WorkedExampleIsWhatIsSent) {
  std::ifstream document(PGWALSHIP_PROTOCOL_DOCUMENT);
  ASSERT_TRUE(document.is_open());
  std::string shown;
  bool in_example = false;
  for (std::string line; std::getline(document, line);) {
    in_example = in_example ? line.rfind("## ", 0) != 0 : line == "## 6. A worked example";
    if (in_example && line.rfind("    ", 0) == 0) {
      shown += line.substr(4, line.find('|') - 4);
    }
  }
  std::istringstream digits(shown);
  Bytes bytes;
  for (std::string pair; digits >> pair;) {
    ASSERT_EQ(pair.size(), 2U) << pair;
    bytes.push_back(static_cast<std::byte>(std::stoul(pair, nullptr, 16)));
  }
  EXPECT_EQ(bytes, encoded(Ping{1}));
}

}  // namespace
}  // namespace pgwalship
