#!/bin/sh
# Print the name of a Python that can carry the course: 3.10 to 3.13, able to make a virtual
# environment. Otherwise say what is wrong and how to mend it. An argument names the only candidate.

fits='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))'
version='import sys; print("%d.%d" % sys.version_info[:2])'

if [ -n "$1" ]; then
    set -- "$1"
else
    set -- python3 python3.13 python3.12 python3.11 python3.10 python
fi

for python in "$@"; do
    # A name may be on the PATH and still not start: ask it for its version.
    is=$("$python" -c "$version" 2>/dev/null) || continue
    if ! "$python" -c "$fits" 2>/dev/null; then
        seen="${seen:+$seen, }$python is $is"
    elif "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$python"
        exit 0
    else
        without_venv=$is
    fi
done

{
    if [ -n "$without_venv" ]; then
        echo "Python $without_venv is here, but it cannot make a virtual environment."
        echo "On Debian and Ubuntu: sudo apt-get install python$without_venv-venv"
    else
        echo "The course needs Python 3.10, 3.11, 3.12 or 3.13. Looked for: $*.${seen:+ Found: $seen.}"
        echo "Install one from python.org, or use conda as README.md says."
        echo "If you have one under another name: make lab PYTHON=/path/to/python"
    fi
} >&2
exit 1
