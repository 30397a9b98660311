"""Makes the virtual environment of the tests: make_venv.py DIRECTORY REQUIREMENTS.

Does nothing where it is there already, made from the same requirements. Of several that are started at once one makes it and
the others wait: the lock is the kernel's, so one that was killed holds nobody up.
"""

import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys
import venv

directory, requirements = (pathlib.Path(argument) for argument in sys.argv[1:3])
wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
made = directory / "made-from"

directory.parent.mkdir(parents=True, exist_ok=True)
with open(f"{directory}.lock", "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not made.exists() or made.read_text() != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        venv.create(directory, with_pip=True)
        pip = [directory / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", "--only-binary", ":all:", "-r", requirements], check=True)
        made.write_text(wanted)
