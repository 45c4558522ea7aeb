"""The account that the embedded servers run as: one's own or, since PostgreSQL refuses to run as root, `pgserver`.

The second half gives that account the access it needs to the servers' programs and directories, and no more.
"""

import os
import pwd
import stat
import subprocess
from pathlib import Path

from usage_dashboard.machine.processes import Account, LaunchError

ACCOUNT_NAME = "pgserver"


def server_account() -> Account | None:
    """None for one's own account; for root the account `pgserver`, made if there is none."""
    if os.geteuid() != 0:
        return None
    try:
        entry = _entry()
    except (OSError, subprocess.SubprocessError, KeyError) as error:
        raise LaunchError(
            f"PostgreSQL does not run as root, and no user “{ACCOUNT_NAME}” could be added for it ({error}). "
            "Run this as an ordinary user, or set DATABASE_URL and REDIS_URL."
        ) from error
    return Account(ACCOUNT_NAME, entry.pw_uid, entry.pw_gid)


def _entry() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        command = ["useradd", "--system", "--shell", "/bin/false", ACCOUNT_NAME]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 – no input in it
        return pwd.getpwnam(ACCOUNT_NAME)


def private_directory(path: Path, account: Account | None) -> None:
    """Make `path` a directory that the account owns and nobody else enters; refuse one that belongs to another.

    The path may lie in a directory that everyone writes to, so what is found there is checked, not followed.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    owners = {os.geteuid(), account.user_id if account else os.geteuid()}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
        raise LaunchError(
            f"{path} belongs to someone else, and the servers' sockets must not lie there. "
            "Remove it, or choose another DATA_DIR."
        )
    path.chmod(0o700)
    if account:
        os.chown(path, account.user_id, account.group_id)


def private_data_directory(data_dir: Path, account: Account | None) -> None:
    """Close `data_dir` and what an older version left open in it: logs hold links that let people in.

    Others than its owner cannot enter; the account passes through, without listing it. Raises LaunchError for a directory
    that is shared, because closing it would lock out everybody else.
    """
    found = data_dir.stat()
    if found.st_mode & stat.S_ISVTX or os.geteuid() not in (0, found.st_uid):
        raise LaunchError(
            f"{data_dir} is shared with other users. Set DATA_DIR to a directory of this installation alone."
        )
    if account:
        os.chown(data_dir, -1, account.group_id)
    data_dir.chmod(0o710 if account else 0o700)
    log = data_dir / "log"
    log.mkdir(mode=0o700, exist_ok=True)
    log.chmod(0o700)
    for path in (*data_dir.iterdir(), *log.iterdir()):
        if stat.S_ISREG(path.lstat().st_mode):
            path.chmod(0o600)


def open_way(path: Path, account: Account | None) -> None:
    """Let the account pass through the directories above `path` (not list them); nothing to do for one's own."""
    if account is None:
        return
    for directory in path.parents:
        mode = directory.stat().st_mode
        if not mode & stat.S_IXOTH:
            directory.chmod(mode | stat.S_IXOTH)


def open_program(binary: Path, account: Account | None) -> None:
    """Let the account read what was installed with `binary` and run it: its directory, those beside it, the wheel's libraries.

    Under a strict umask pip makes all of that readable to its owner alone.
    """
    if account is None:
        return
    open_way(binary, account)
    libraries = [directory.with_name(f"{directory.name}.libs") for directory in binary.parents[:-1]]
    installed = [binary.parent.parent, *filter(Path.is_dir, libraries)]
    for path in (path for directory in installed for path in (directory, *directory.rglob("*"))):
        mode = path.lstat().st_mode
        wanted = mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if wanted != mode and not stat.S_ISLNK(mode):
            path.chmod(wanted)
