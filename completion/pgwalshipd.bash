# bash completion of pgwalshipd.
# shellcheck shell=bash

_pgwalshipd() {
  local current=${COMP_WORDS[COMP_CWORD]}
  if [[ ${COMP_WORDS[COMP_CWORD - 1]} == --config ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null
  else
    mapfile -t COMPREPLY < <(compgen -W "--config --foreground --help --version" -- "$current")
  fi
}
complete -F _pgwalshipd pgwalshipd
