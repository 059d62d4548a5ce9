# `cpack -G DEB`; scripts/package configures a build for it (PGWALSHIP_DEBIAN) and runs it.
option(PGWALSHIP_DEBIAN "Install as Debian's packages do" OFF)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pgwalship)
set(CPACK_PACKAGE_CONTACT "The pgwalship developers <pgwalship@example.com>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/packaging/compress.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# The user postgres, its home and its group come with postgresql-common, which starts no server.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libisal2, postgresql-common, python3, systemd | systemd-tmpfiles")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "openssh-server")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "postgresql, bash-completion")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"archive_command returns when a finished segment is durable in the local
archive and on the peers that a quorum asks for; restore_command finds it
there, and says that it is absent only when that is proven. Each node runs
a daemon that keeps one SSH connection to each peer's ordinary sshd.
PostgreSQL 12 or newer.

The archive stays a plain directory of .gz files. What a peer lacks is sent,
what is missing is fetched, and bad copies are replaced. Nothing is ever
overwritten.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${PROJECT_SOURCE_DIR}/packaging/postinst
    ${PROJECT_SOURCE_DIR}/packaging/prerm
    ${PROJECT_SOURCE_DIR}/packaging/postrm)
include(CPack)
