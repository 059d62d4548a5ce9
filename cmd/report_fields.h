// Reading the daemon's status report: a field that is missing, or of another type than expected, is
// nothing, because another version of the daemon may have written it.
#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>

namespace pgwalship {

using ReportJson = nlohmann::json;

const ReportJson& report_field(const ReportJson& object, const char* name);
std::string report_text(const ReportJson& object, const char* name);
// A number as it is written, too: for words to a person.
std::string report_words(const ReportJson& object, const char* name);
std::optional<double> report_number(const ReportJson& object, const char* name);
double report_number_or_zero(const ReportJson& object, const char* name);
// Nothing when it is no boolean.
std::optional<bool> report_flag(const ReportJson& object, const char* name);
// The elements of a list; none when it is not one.
const ReportJson& report_list(const ReportJson& object, const char* name);
// The same words without what is said of the peers themselves: " (why the peer is down)".
std::string without_peer_errors(std::string text, const ReportJson& report);

}  // namespace pgwalship
