# bash completion of frontdesk: asks the program's own --help, so it is never behind it.
_frontdesk() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} help words at=1
    local path=("${COMP_WORDS[0]}")
    # The commands that stand there already: `frontdesk user add`.
    while [ $at -lt "$COMP_CWORD" ] && [ $at -le 2 ] && [[ ${COMP_WORDS[at]} =~ ^[a-z]+$ ]]; do
        path+=("${COMP_WORDS[at]}")
        at=$((at + 1))
    done
    help=$("${path[@]}" --help 2>/dev/null)
    if [[ $help = *" COMMAND [options]"* ]]; then
        words=$(sed -n 's/^  \([a-z]\{1,\}\)\( .*\)\{0,1\}$/\1/p' <<<"$help")
    elif [[ $before = --* ]] && grep -q "^  $before [A-Z]" <<<"$help"; then
        # Its value, where the help lists them: --role USER|ADMIN
        words=$(sed -n "s/^  $before \([A-Z]*|[A-Z|]*\).*/\1/p" <<<"$help" | tr '|' ' ')
    else
        words=$(sed -n 's/^  \(--[a-z-]*\).*/\1/p' <<<"$help")
        # trigger's events are the only words of that form in a help.
        [[ $help = *"EVENT is"* ]] && words+=" $(grep -oE '\b[a-z]+_[a-z]+\b' <<<"$help" | sort -u)"
    fi
    # shellcheck disable=SC2207 # the words have no spaces in them
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _frontdesk frontdesk
