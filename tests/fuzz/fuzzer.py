"""One target under libFuzzer, in this process, which ends with it.

Usage: python -m tests.fuzz.fuzzer TARGET FOLDER [libFuzzer's options]
"""

from hashlib import sha1
from pathlib import Path
import sys
from types import ModuleType
import warnings

import atheris

INSTRUMENTED = ["custom_components.pcp.client"]


def without_home_assistant() -> None:
    """Let the client be imported without the integration, which takes seconds."""
    package = ModuleType("custom_components.pcp")
    package.__path__ = [str(Path(__file__).parents[2] / "custom_components" / "pcp")]
    sys.modules[package.__name__] = package


def main() -> None:
    """Feed the target; a finding is written into the folder and ends the process."""
    name, folder, *options = sys.argv[1:]
    warnings.simplefilter("ignore")
    without_home_assistant()
    with atheris.instrument_imports(include=INSTRUMENTED):
        from .targets import target_of
    from .seeds import seeds_of

    corpus = Path(folder, "corpus", name)
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds_of(name):
        corpus.joinpath(sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    found = Path(folder, "found")
    found.mkdir(exist_ok=True)
    # One input again, or the corpus: libFuzzer takes a file only if it is alone.
    is_replay = any(not option.startswith("-") for option in options)
    fed = [] if is_replay else [str(corpus)]
    atheris.Setup(
        [name, *options, f"-artifact_prefix={found / name}-", *fed], target_of(name)
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
