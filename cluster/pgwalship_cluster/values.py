"""Readers of single values: each returns the value or raises ValueError(what, hint)."""

import ipaddress
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Address:
    ip: str
    prefix: int


def name(text):
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", text):
        raise ValueError(f"'{text}' is not a name", "letters, digits, dot, hyphen and underscore")
    return text


def sql_name(text):
    """A role or database that needs no quotes anywhere."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", text):
        raise ValueError(f"'{text}' is not a plain name", "lower-case letters, digits, underscore")
    return text


def path(text):
    if not text.startswith("/") or re.search(r"[\s'\"\\$`;&|<>]", text):
        raise ValueError(f"'{text}' is not a plain absolute path", "no blanks, quotes or shell signs")
    return text.rstrip("/") or "/"


def number(text):
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"'{text}' is not a number")
    return int(text)


def port(text):
    value = number(text)
    if not 1 <= value <= 65535:
        raise ValueError(f"'{text}' is not a port", "1 to 65535")
    return value


def duration(text):
    """Seconds."""
    found = re.fullmatch(r"([0-9]{1,9})(ms|s|min|h|d)", text)
    if not found:
        raise ValueError(f"'{text}' is not a time", "a number with ms, s, min, h or d, such as 3s")
    return int(found.group(1)) * {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}[
        found.group(2)]


def address(text):
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"'{text}' is not an IP address") from None


def network(text):
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"'{text}' is not a network: {error}", "such as 10.10.10.0/24") from None


def network_address(text):
    """ADDRESS/PREFIX, as an Address."""
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        raise ValueError(f"'{text}' is not an address", "such as 10.10.10.105/24") from None
    if "/" not in text:
        raise ValueError(f"'{text}' has no prefix length", f"such as {text}/24")
    return Address(str(interface.ip), interface.network.prefixlen)


def attributes(words, known=None):
    """NAME=VALUE words as a dict."""
    given = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not value or (known and key not in known):
            raise ValueError(f"'{word}' is not understood",
                             ", ".join(f"{key}=" for key in known) if known else "NAME=VALUE")
        if key in given:
            raise ValueError(f"'{key}' is given twice")
        given[key] = value
    return given
