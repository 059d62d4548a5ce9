# Every third-party library, found once. ARCHITECTURE.md has a line of reason for each.
find_package(PkgConfig REQUIRED)
find_package(ZLIB REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
set(Boost_USE_STATIC_LIBS ON)  # one file less for the dynamic linker at each push
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
find_package(PostgreSQL REQUIRED)
pkg_check_modules(LIBSSH REQUIRED IMPORTED_TARGET libssh)
pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(NETTLE REQUIRED IMPORTED_TARGET nettle)
