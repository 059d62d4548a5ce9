# What goes beside the programs, which cmd/ installs itself.
install(FILES man/pgwalship.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES man/pgwalship.conf.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES man/pgwalshipd.8 man/pgwalship-cluster.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
# Where it is installed what docs/ has lies beside it.
file(READ README.md readme)
string(REPLACE "](docs/" "](" readme "${readme}")
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/README.md "${readme}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS README.md)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/README.md ARCHITECTURE.md CONTRIBUTING.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} PATTERN "*.example" EXCLUDE)
install(FILES docs/pgwalship.conf.example DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples
        RENAME pgwalship.conf)
install(FILES completion/pgwalship.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME pgwalship)
install(FILES completion/pgwalshipd.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME pgwalshipd)

# The unit in the tree is for packages, whose prefix is /usr.
set(PGWALSHIP_UNIT_DIR lib/systemd/system CACHE STRING "Where systemd's units go")
file(READ systemd/pgwalshipd.service unit)
string(REPLACE "=/usr/bin/" "=${CMAKE_INSTALL_FULL_BINDIR}/" unit "${unit}")
file(CONFIGURE OUTPUT pgwalshipd.service CONTENT "${unit}" @ONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS systemd/pgwalshipd.service)
install(FILES ${PROJECT_BINARY_DIR}/pgwalshipd.service DESTINATION ${PGWALSHIP_UNIT_DIR})
install(FILES systemd/postgresql-order.conf
        DESTINATION ${PGWALSHIP_UNIT_DIR}/postgresql@.service.d RENAME pgwalship.conf)
install(FILES systemd/pgwalship.tmpfiles DESTINATION lib/tmpfiles.d RENAME pgwalship.conf)

if(PGWALSHIP_DEBIAN)
  # Debian's names for the licence and the history. The configuration's directory is part of the
  # package, its content is not: no two clusters have the same.
  install(FILES packaging/copyright packaging/changelog DESTINATION ${CMAKE_INSTALL_DOCDIR})
  install(DIRECTORY DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/pgwalship)
else()
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()

# The Pacemaker stack: a Python program, two resource agents and an alert agent.
set(share ${CMAKE_INSTALL_DATAROOTDIR}/pgwalship)
install(PROGRAMS cluster/pgwalship-cluster DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY cluster/pgwalship_cluster DESTINATION ${share}/cluster FILES_MATCHING PATTERN *.py)
install(PROGRAMS cluster/ocf/pgsql cluster/ocf/pgwalshipd
        DESTINATION lib/ocf/resource.d/pgwalship)
install(FILES cluster/ocf/ocf-shellfuncs DESTINATION ${share}/ocf)
install(PROGRAMS cluster/ocf/node-attributes DESTINATION ${share}/ocf)
install(PROGRAMS cluster/alerts/pgwalship-alert DESTINATION ${share}/alerts)
