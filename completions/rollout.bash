_clap_complete_rollout() {
    local IFS=$'\013'
    local _CLAP_COMPLETE_INDEX=${COMP_CWORD}
    local _CLAP_COMPLETE_COMP_TYPE=${COMP_TYPE}
    if compopt +o nospace 2> /dev/null; then
        local _CLAP_COMPLETE_SPACE=false
    else
        local _CLAP_COMPLETE_SPACE=true
    fi
    local words=("${COMP_WORDS[@]}")
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        words[COMP_CWORD]="$2"
    fi
    local prefix=""
    if [[ "${COMP_WORDS[*]}" == *[=:]* ]]; then
        local line="${COMP_LINE:0:COMP_POINT}"
        local IFS=$' \t\n'
        read -r -a words <<< "$line"
        [[ "$line" == *[[:space:]] ]] && words+=("")
        IFS=$'\013'
        _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1))
        prefix="${words[_CLAP_COMPLETE_INDEX]%"$2"}"
    fi
    COMPREPLY=( $( \
        _CLAP_IFS="$IFS" \
        _CLAP_COMPLETE_INDEX="$_CLAP_COMPLETE_INDEX" \
        _CLAP_COMPLETE_COMP_TYPE="$_CLAP_COMPLETE_COMP_TYPE" \
        _CLAP_COMPLETE_SPACE="$_CLAP_COMPLETE_SPACE" \
        ROLLOUT_COMPLETE="bash" \
        "rollout" -- "${words[@]}" \
    ) )
    if [[ $? != 0 ]]; then
        unset COMPREPLY
    elif [[ $_CLAP_COMPLETE_SPACE == false ]] && [[ "${COMPREPLY-}" =~ [=/:]$ ]]; then
        compopt -o nospace
    fi
    [[ -z "$prefix" ]] || COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
}
if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _clap_complete_rollout rollout
else
    complete -o nospace -o bashdefault -F _clap_complete_rollout rollout
fi
