#!/bin/sh
# Install a Chromium for the tests of the site: Debian's package where there is one, else Playwright's build.
# Usage: install_browser.sh VENV_PYTHON
set -eu
python="${1:?the python of the virtual environment}"

if "$python" tools/doctor.py browser >/dev/null 2>&1; then
    echo "A browser is here already: $("$python" tools/doctor.py browser)"
    exit 0
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1; then
        as_root="sudo"
    else
        as_root="no"
    fi
fi

# Ubuntu's package of this name is a stub for snap, which containers cannot run.
distribution="$(. /etc/os-release 2>/dev/null && echo "${ID:-}" || true)"
if [ "$distribution" = debian ]; then
    if [ "$as_root" = no ]; then
        echo "Chromium has to be installed by an administrator: apt-get install chromium" >&2
        exit 1
    fi
    $as_root apt-get update
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium
else
    echo "Downloading the Chromium that Playwright provides."
    "$python" -m playwright install chromium
    if [ "$as_root" != no ] && [ "$(uname -s)" = Linux ]; then
        $as_root "$python" -m playwright install-deps chromium
    fi
fi

"$python" tools/doctor.py browser
