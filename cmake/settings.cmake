# Two INTERFACE targets that every target of ours links PRIVATE: how to compile, and what to warn of.
add_library(pgwalship_settings INTERFACE)
target_compile_features(pgwalship_settings INTERFACE cxx_std_20)
target_include_directories(pgwalship_settings INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(pgwalship_settings INTERFACE
  PGWALSHIP_VERSION="${PROJECT_VERSION}" $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
if(PGWALSHIP_SANITIZE)
  target_compile_options(pgwalship_settings INTERFACE
    -fsanitize=${PGWALSHIP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(pgwalship_settings INTERFACE -fsanitize=${PGWALSHIP_SANITIZE})
else()
  target_compile_options(pgwalship_settings INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2> -fstack-protector-strong)
endif()
find_package(Threads REQUIRED)

add_library(pgwalship_warnings INTERFACE)
target_compile_options(pgwalship_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  -Wswitch-enum -Wimplicit-fallthrough
  # GCC 12 finds the inactive alternatives of a std::variant "uninitialised" when it optimises.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<BOOL:${PGWALSHIP_WERROR}>:-Werror>)

# pgwalship_knows_its_path(sources...): these files name the installed client, as the forced commands
# of authorized_keys have to. Only these, so that builds of another prefix share the other objects.
function(pgwalship_knows_its_path)
  set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_DEFINITIONS
    PGWALSHIP_CLIENT_PATH="${CMAKE_INSTALL_FULL_BINDIR}/pgwalship")
endfunction()

# pgwalship_library(NAME sources...): one static library of one floor.
function(pgwalship_library name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PUBLIC pgwalship_settings PRIVATE pgwalship_warnings)
endfunction()
