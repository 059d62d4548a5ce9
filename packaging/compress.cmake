# Debian wants manual pages and the history compressed, without the time in them.
file(GLOB_RECURSE pages ${CPACK_TEMPORARY_DIRECTORY}/usr/share/man/*.[158])
file(GLOB history ${CPACK_TEMPORARY_DIRECTORY}/usr/share/doc/*/changelog)
execute_process(COMMAND gzip -9n ${pages} ${history} COMMAND_ERROR_IS_FATAL ANY)
