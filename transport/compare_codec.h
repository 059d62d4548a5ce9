// The body of CompareRanges and CompareResult on the wire (docs/protocol.md, messages 21 and 22).
// encode and decode are exact inverses; decode is total, and gives nothing for what is no such body
// or breaks one of the limits of wal/archive_compare.h. What the numbers mean is judged there.
#pragma once

#include "base/bytes.h"
#include "wal/archive_compare.h"

#include <optional>

namespace pgwalship {

void encode(const CompareQuery& query, ByteWriter& out);
void encode(const CompareAnswer& answer, ByteWriter& out);
std::optional<CompareQuery> decode_compare_query(ByteView body);
std::optional<CompareAnswer> decode_compare_answer(ByteView body);

}  // namespace pgwalship
