# bash completion of pgwalship. Verbs and options come from the program's own --help, so that they
# are those of the version that is installed.
# shellcheck shell=bash

# The words of one verb's synopsis, one a line: "--json", "NAME", "show", and "." where a bracket
# closes or a bar stands.
_pgwalship_synopsis() {
  "$1" "$2" --help 2>/dev/null | sed -n "s/^Usage: pgwalship \[--config FILE\] $2//p" | head -n 1 |
    sed -e 's/ | / . /g' -e 's/\[/ /g' -e 's/\]/ . /g' | tr -s ' ' '\n' |
    sed -e 's/\.\.\.$//' -e '/^$/d'
}

# The options that the help of a verb explains, one a line, each with what it takes.
_pgwalship_explained() {
  "$1" "$2" --help 2>/dev/null |
    sed -nE '/^  --/ { s/^  //; s/, --/\n--/; p }' |
    sed -nE 's/^(--[a-z][a-z-]*[a-z])( [A-Z][A-Za-z0-9:.]*)?( .*)?$/\1\2/p'
}

_pgwalship_verbs() {
  "$1" --help 2>/dev/null | sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\).*/\1/p'
}

# The names of the configured nodes; $1 is the configuration.
_pgwalship_nodes() {
  sed -n 's/^[[:space:]]*node[[:space:]]*=[[:space:]]*\([^[:space:]]*\).*/\1/p' "$1" 2>/dev/null
}

# Completes $2 as what the synopsis calls $1; other names only the archive knows.
_pgwalship_value() {
  case $1 in
    NODE | PEER) mapfile -t COMPREPLY < <(compgen -W "$(_pgwalship_nodes "$3")" -- "$2") ;;
    PGDATA | DIRECTORY | DIR) mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    FILE | PATH) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    [a-z]*) mapfile -t COMPREPLY < <(compgen -W "${1//|/ }" -- "$2") ;;
  esac
  case $1 in PGDATA | DIRECTORY | DIR | FILE | PATH) compopt -o filenames 2>/dev/null ;; esac
}

_pgwalship() {
  local current=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]}
  local config=${PGWALSHIP_CONFIG:-/etc/pgwalship/pgwalship.conf} verb="" verb_at=0 i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -c | --config) config=${COMP_WORDS[++i]:-} ;;
      -*) ;;
      *) verb=${COMP_WORDS[i]} verb_at=$i; break ;;
    esac
  done
  if [[ -z $verb ]]; then
    case ${COMP_WORDS[COMP_CWORD - 1]} in
      -c | --config) _pgwalship_value FILE "$current" "" ;;
      *) mapfile -t COMPREPLY < <(compgen -W "$(_pgwalship_verbs "$program")
          --config --help --version" -- "$current") ;;
    esac
    return
  fi

  local -a words positionals=()
  mapfile -t words < <(_pgwalship_synopsis "$program" "$verb")
  # The value of the option before, as the synopsis calls it, or one of its words: archive|HASH.
  local before=${COMP_WORDS[COMP_CWORD - 1]} options="--help" option value
  while read -r option value; do
    options+=" $option"
    if [[ $option == "$before" && -n $value ]]; then
      _pgwalship_value "$value" "$current" "$config"
      return
    fi
  done < <(_pgwalship_explained "$program" "$verb")
  for ((i = 0; i < ${#words[@]}; i++)); do
    local next=${words[i + 1]:-}
    if [[ ${words[i]} != --* ]]; then
      [[ ${words[i]} == . ]] || positionals+=("${words[i]}")
      continue
    fi
    [[ ${words[i]} == *[A-Z]* ]] || options+=" ${words[i]}"
    [[ $next == *[A-Z]* ]] || continue # it takes no value
    if [[ ${words[i]} == "$before" ]]; then
      for next in ${next//|/ }; do _pgwalship_value "$next" "$current" "$config"; done
      return
    fi
    i=$((i + 1))
  done
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    return
  fi
  # The positional arguments in their order; words in lower case are all offered at first.
  local given=0 lower="" word
  for ((i = verb_at + 1; i < COMP_CWORD; i++)); do
    [[ ${COMP_WORDS[i]} == -* ]] || given=$((given + 1))
  done
  for word in "${positionals[@]}"; do
    [[ ! $word =~ ^[a-z]+$ ]] || lower+=" $word"
  done
  if [[ -n $lower ]]; then
    ((given > 0)) || mapfile -t COMPREPLY < <(compgen -W "$lower" -- "$current")
  elif ((given < ${#positionals[@]})); then
    _pgwalship_value "${positionals[given]}" "$current" "$config"
  fi
  [[ ${#COMPREPLY[@]} -gt 0 || -n $current ]] ||
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
}
complete -F _pgwalship pgwalship
