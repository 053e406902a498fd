"""Profiles: where a deployment is, and the key for it.

URLs stand in `profiles.json`. Secrets are in the system's keyring, and where there is none in `secrets.json`, which
only its owner may read. A key belongs to the URL that it was given for, and is never sent to another.
"""

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import click

from pyhooks.errors import NotLoggedIn, Refused

FOLDER = "PYHOOKS_CONFIG_DIR"
KEYRING = "PYHOOKS_KEYRING"
_SERVICE = "pyhooks"
_Json = dict[str, Any]


class Secrets(Protocol):
    """Where secrets are kept, by name."""

    place: str

    def get(self, name: str) -> str | None:
        """The secret; None where there is none."""
        ...

    def put(self, name: str, secret: str) -> None:
        """Keep it."""
        ...

    def remove(self, name: str) -> None:
        """Forget it, if it is there."""
        ...


def folder() -> Path:
    """Where profiles are, and what `listen` notes: PYHOOKS_CONFIG_DIR, or the system's place for it."""
    return Path(os.environ.get(FOLDER) or click.get_app_dir("pyhooks"))


class KeyringSecrets:
    """In the system's keyring."""

    place = "the system's keyring"

    def get(self, name: str) -> str | None:
        """As Secrets has it."""
        import keyring

        return keyring.get_password(_SERVICE, name)

    def put(self, name: str, secret: str) -> None:
        """As Secrets has it."""
        import keyring

        keyring.set_password(_SERVICE, name, secret)

    def remove(self, name: str) -> None:
        """As Secrets has it."""
        import keyring
        import keyring.errors

        with contextlib.suppress(keyring.errors.PasswordDeleteError):
            keyring.delete_password(_SERVICE, name)


class FileSecrets:
    """In a file of mode 0600."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path)

    def get(self, name: str) -> str | None:
        """As Secrets has it."""
        return read_json(self._path).get(name)

    def put(self, name: str, secret: str) -> None:
        """As Secrets has it."""
        _change(self._path, lambda secrets: secrets.update({name: secret}))

    def remove(self, name: str) -> None:
        """As Secrets has it."""
        if self.get(name) is not None:
            _change(self._path, lambda secrets: secrets.pop(name, None))


def secrets() -> Secrets:
    """The keyring where there is one that works; the file where there is none, or with PYHOOKS_KEYRING=0."""
    file = FileSecrets(folder() / "secrets.json")
    if os.environ.get(KEYRING) == "0":
        return file
    import keyring
    import keyring.errors

    try:
        if keyring.get_keyring().priority < 1:  # the one that fails, and the one that keeps nothing
            return file
        keyring.get_password(_SERVICE, "")
    except (keyring.errors.KeyringError, RuntimeError):
        return file
    return KeyringSecrets()


@dataclass(frozen=True, slots=True)
class Profile:
    """A deployment's URL under a name."""

    name: str
    url: str

    @property
    def key_name(self) -> str:
        """What its key is kept by. With the URL, so that a profile that is moved takes no key along."""
        return f"key {self.name} {self.url}"


@dataclass(frozen=True, slots=True)
class Login:
    """Where to call, and by which key; `profile` is None for what the environment gives."""

    url: str
    token: str
    profile: Profile | None = None


class Profiles:
    """The profiles of this user."""

    def __init__(self, at: Path | None = None) -> None:
        self._path = (at or folder()) / "profiles.json"

    def all(self) -> list[Profile]:
        """By name."""
        return [Profile(name, str(each["url"])) for name, each in sorted(self._read()["profiles"].items())]

    def get(self, name: str) -> Profile | None:
        """The one of that name."""
        return next((each for each in self.all() if each.name == name), None)

    @property
    def default(self) -> str:
        """The name that counts where none is given."""
        return str(self._read().get("default") or "default")

    def save(self, profile: Profile, *, default: bool) -> None:
        """Keep it, and make it the default one."""

        def put(document: _Json) -> None:
            document.setdefault("profiles", {})[profile.name] = {"url": profile.url}
            if default or "default" not in document:
                document["default"] = profile.name

        _change(self._path, put)

    def remove(self, name: str) -> None:
        """Forget it."""

        def drop(document: _Json) -> None:
            document.get("profiles", {}).pop(name, None)
            if document.get("default") == name:
                document.pop("default")
                for other in sorted(document.get("profiles", {}))[:1]:
                    document["default"] = other

        _change(self._path, drop)

    def _read(self) -> _Json:
        document = read_json(self._path)
        document.setdefault("profiles", {})
        return document


def login_for(url: str | None, name: str | None, token: str | None) -> Login:
    """Who calls what: a URL given goes before a profile's, and a token given before a kept one. Raises NotLoggedIn."""
    profiles = Profiles()
    profile = profiles.get(name or profiles.default)
    if name and profile is None:
        known = ", ".join(each.name for each in profiles.all()) or "none"
        raise NotLoggedIn(f"There is no profile {name}; there are: {known}. Make it: pyhooks login --profile {name}")
    if url and not name and (profile is None or profile.url != url):
        profile = next((each for each in profiles.all() if each.url == url), None)
    if not url and profile is None:
        raise NotLoggedIn("Where is the service? Run `pyhooks login` first, or set PYHOOKS_URL and PYHOOKS_TOKEN.")
    if token:
        return Login(url or cast("Profile", profile).url, token)
    if profile is None or (url and profile.url != url):
        raise NotLoggedIn(f"There is no key for {url}. Run: pyhooks login --url {url}")
    kept = secrets().get(profile.key_name)
    if not kept:
        raise NotLoggedIn(f"The key of profile {profile.name} is gone. Run: pyhooks login --profile {profile.name}")
    return Login(profile.url, kept, profile)


def read_json(path: Path) -> _Json:
    """The object in a file; an empty one where there is none. Raises Refused for a file that is something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be read ({error}). Mend or remove it.") from error
    if not isinstance(found, dict):
        raise Refused(f"{path} is not what pyhooks writes. Mend or remove it.")
    return cast("_Json", found)


def write_json(path: Path, document: _Json) -> None:
    """Written in one step, for its owner alone. Raises Refused."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
        beside.replace(path)
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error}. PYHOOKS_CONFIG_DIR names another folder.") from error


def _change(path: Path, change: Callable[[_Json], object]) -> None:
    document = read_json(path)
    change(document)
    write_json(path, document)
