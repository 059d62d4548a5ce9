# What goes beside the programs, which cmd/ installs itself.
install(FILES man/pgwalship.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES man/pgwalship.conf.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES man/pgwalshipd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES LICENSE README.md docs/json.md docs/pgwalship.conf.example DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The unit in the tree is for packages, whose prefix is /usr.
file(READ systemd/pgwalshipd.service unit)
string(REPLACE "=/usr/bin/" "=${CMAKE_INSTALL_FULL_BINDIR}/" unit "${unit}")
file(CONFIGURE OUTPUT pgwalshipd.service CONTENT "${unit}" @ONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS systemd/pgwalshipd.service)
install(FILES ${PROJECT_BINARY_DIR}/pgwalshipd.service DESTINATION lib/systemd/system)
