# SPDX-License-Identifier: BSD-3-Clause
"""Completions for bash and zsh of what a program's --help says."""
import shlex

# Of words: "NAME" or "A=B", of which bash has split off what stands before the last "=".
BASH = """\
# bash completion of {name}, made of its --help
_{function}()
{{
    local cur=${{COMP_WORDS[COMP_CWORD]}} at=$((COMP_CWORD - 1)) before= words=
    COMPREPLY=()
    [[ $cur != = ]] || cur=
    if [[ ${{COMP_WORDS[COMP_CWORD]}} != = && ${{COMP_WORDS[at]}} == = ]]; then at=$((at - 1)); fi
    if [[ $at -gt 0 && ${{COMP_WORDS[at]}} != -* && ${{COMP_WORDS[at + 1]}} == = ]]; then
        before=${{COMP_WORDS[at]}}=
        at=$((at - 1))
        [[ ${{COMP_WORDS[at]}} != = ]] || at=$((at - 1))
    fi
    case ${{COMP_WORDS[at]}} in
{cases}
    *)
        [[ -z $before ]] || return 0
        words={flags}
        if [[ $cur != -* ]]; then words={commands}; fi ;;
    esac
    local word found=()
    for word in $(compgen -W "$words" -- "$before$cur"); do found+=("${{word#"$before"}}"); done
    COMPREPLY=("${{found[@]}}")
}}
complete -F _{function} {name}
"""

# Those that run; a name that a shell would take for more than a word is left out, as compgen expands what it is given.
INSTANCES = """words=$(cd "${RUNTIME_DIRECTORY:-/run}/dpdk" 2>/dev/null || exit
                    for name in *; do [[ $name != *[!A-Za-z0-9._-]* && -S $name/control ]] && echo "$name"; done)"""


def bash(told):
    cases = []
    for row in told.flags + told.commands:
        words = told.words(row)
        if words:
            action = f"words={shlex.quote(' '.join(words))}"
        elif told.takes_file(row):
            action = 'COMPREPLY=($(compgen -f -- "$cur")); return 0'
        elif told.takes_instance(row):
            action = INSTANCES
        elif row.argument and row.is_flag:
            action = "return 0"
        else:
            continue
        cases.append(f"    {row.name}) {action} ;;")
    return BASH.format(name=told.name, function=told.name.replace("-", "_"), cases="\n".join(cases),
                       flags=shlex.quote(" ".join(row.name for row in told.flags)),
                       commands=shlex.quote(" ".join(row.name for row in told.commands)))


def escaped(text, marks):
    """Text with a backslash before what means something to _arguments."""
    return "".join("\\" + character if character in marks else character for character in text)


def action(told, row):
    words = told.words(row)
    if words:
        return f"({' '.join(words)})"
    if told.takes_file(row):
        return "_files"
    if told.takes_instance(row):
        return "_files -/ -W ${RUNTIME_DIRECTORY:-/run}/dpdk"
    return ""


def zsh(told):
    specs = []
    for row in told.flags:
        spec = f"*{row.name}" if "repeatable" in row.help or row.argument[:5] in ("NAME:", "CLASS") else row.name
        spec += ("=" if row.argument else "") + f"[{escaped(row.help, '[]')}]"
        if row.argument:
            spec += f":{escaped(row.argument, ':')}:{action(told, row)}"
        specs.append(shlex.quote(spec))
    if told.commands:
        rows = " ".join(f"{row.name}\\:{shlex.quote(escaped(row.help, ':'))}" for row in told.commands)
        specs.append(shlex.quote(f"1:command:(({rows}))"))
        values = sorted({word for row in told.commands for word in told.words(row)})
        specs.append(shlex.quote(f"2:argument:({' '.join(values)})"))
    lines = " \\\n    ".join(specs)
    return f"#compdef {told.name}\n# zsh completion of {told.name}, made of its --help\n_arguments \\\n    {lines}\n"
