# Every third-party library, found once. ARCHITECTURE.md has a line of reason for each.
find_package(PkgConfig REQUIRED)
find_package(ZLIB REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
set(Boost_USE_STATIC_LIBS ON)  # one file less for the dynamic linker at each push
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
set(OPENSSL_USE_STATIC_LIBS ON)  # the same reason; only SHA-256 is taken from it
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(PostgreSQL REQUIRED)
pkg_check_modules(LIBSSH REQUIRED IMPORTED_TARGET libssh)
pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-pull)
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)
