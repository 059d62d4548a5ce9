#include "cmd/report_fields.h"

namespace pgwalship {

const ReportJson& report_field(const ReportJson& object, const char* name) {
  static const ReportJson kNothing;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? kNothing : *found;
}

std::string report_text(const ReportJson& object, const char* name) {
  const ReportJson& value = report_field(object, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::string report_words(const ReportJson& object, const char* name) {
  const ReportJson& value = report_field(object, name);
  return value.is_number() ? value.dump() : report_text(object, name);
}

std::optional<double> report_number(const ReportJson& object, const char* name) {
  const ReportJson& value = report_field(object, name);
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

double report_number_or_zero(const ReportJson& object, const char* name) {
  return report_number(object, name).value_or(0);
}

std::optional<bool> report_flag(const ReportJson& object, const char* name) {
  const ReportJson& value = report_field(object, name);
  return value.is_boolean() ? std::optional(value.get<bool>()) : std::nullopt;
}

const ReportJson& report_list(const ReportJson& object, const char* name) {
  static const ReportJson kNone = ReportJson::array();
  const ReportJson& value = report_field(object, name);
  return value.is_array() ? value : kNone;
}

std::string without_peer_errors(std::string text, const ReportJson& report) {
  for (const ReportJson& peer : report_list(report, "peers")) {
    const std::string said = " (" + report_text(peer, "last_error") + ")";
    for (auto at = text.find(said); said != " ()" && at != std::string::npos;
         at = text.find(said)) {
      text.erase(at, said.size());
    }
  }
  return text;
}

}  // namespace pgwalship
