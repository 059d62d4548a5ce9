#include "wal/isal.h"

#include <dlfcn.h>
#include <optional>

namespace pgwalship {
namespace {

// The library's name since its version 2.0; its interface is that of the headers.
constexpr char kLibrary[] = "libisal.so.2";

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

std::optional<Isal> load() {
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);  // until the process ends
  Isal isal;
  if (library == nullptr || !find(library, "isal_deflate_init", isal.deflate_init) ||
      !find(library, "isal_deflate", isal.deflate) ||
      !find(library, "isal_inflate_init", isal.inflate_init) ||
      !find(library, "isal_inflate", isal.inflate) ||
      !find(library, "crc32_gzip_refl", isal.crc32) || !find(library, "crc32_iscsi", isal.crc32c)) {
    return std::nullopt;
  }
  return isal;
}

}  // namespace

const Isal* isal() {
  static const std::optional<Isal> loaded = load();
  return loaded ? &*loaded : nullptr;
}

}  // namespace pgwalship
