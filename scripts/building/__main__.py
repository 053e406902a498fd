"""python -m scripts.building sam [--stage dev] [--arch x86_64] [--runtime python3.13]: `sam build`, with sizes
python -m scripts.building artifact NAME: one function or layer into $ARTIFACTS_DIR; sam runs it by way of make"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from scripts.building import artifacts, sizes
from scripts.building.target import BuildError, Target, without_make

SAM = Path(".venv-sam/bin/python")
BUILT = Path(".aws-sam/build")


def build_all(target: Target, folder: Path) -> list[sizes.Size]:
    """`sam build` of the template in the working directory. Raises BuildError, with what sam printed, when it fails."""
    command = [str(SAM), "-m", "samcli", "build", "--build-dir", str(folder), "--manifest", "Makefile"]
    done = subprocess.run(
        [*command, "--parameter-overrides", *target.parameters],
        env=without_make() | target.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"{done.stdout}\nsam build failed.")
    built = [sizes.measure(path) for path in sorted(folder.iterdir()) if path.is_dir()]
    if sum(each.unzipped_bytes for each in built) > sizes.LIMIT_BYTES:
        raise BuildError("Lambda does not take as much: a function with its layers may have 250 MB unzipped.")
    return built


def main() -> int:
    """Entry point; 1 with the reason when nothing was built."""
    parser = argparse.ArgumentParser(prog="python -m scripts.building", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    sam = commands.add_parser("sam")
    sam.add_argument("--stage", default="default")
    sam.add_argument("--arch")
    sam.add_argument("--runtime")
    sam.add_argument("--build-dir", type=Path, default=BUILT)
    commands.add_parser("artifact").add_argument("name")
    arguments = parser.parse_args()
    try:
        if arguments.command == "artifact":
            target = Target.of_environment(Path.cwd(), os.environ)
            folder = Path(os.environ["ARTIFACTS_DIR"])
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            artifacts.build(arguments.name, Path.cwd(), folder, target)
            return 0
        target = Target.of_stage(Path.cwd(), arguments.stage, arguments.arch, arguments.runtime)
        started = time.monotonic()
        built = build_all(target, arguments.build_dir)
    except BuildError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    print(f"{arguments.build_dir}: {target.architecture}, {target.runtime}, {time.monotonic() - started:.0f} s")
    print(sizes.table(built))
    if not any(each.compiled for each in built):
        print(f"\nWithout .pyc: this machine has no Python {target.version}, so each cold start compiles every module,")
        print(
            "which takes two to four times the CPU. Install one, or name it: make build TARGET_PYTHON=/path/to/python"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
