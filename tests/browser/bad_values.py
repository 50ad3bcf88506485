"""What people, scripts and attackers put into fields."""

from typing import Any

HUGE_TEXT = "x" * 1_000_000
LONG_LIST = ["x"] * 1000

# What a person can type, or paste, into a field for text.
TEXTS: dict[str, str] = {
    "empty": "",
    "spaces": "   ",
    "huge": HUGE_TEXT,
    "long": "n" * 300,
    "html": "<script>document.title='owned'</script>",
    "image": "<img src=x onerror=\"document.title='owned'\">",
    "template": "{{ states | list }}{% raise %}",
    "placeholder": "{name} {} {0}",
    "markdown": "**bold** [link](javascript:alert(1))",
    "bell": "a\x07b",
    "newline": "first\nsecond",
    "nul": "a\0b",
    "turned": "abc\u202egpj.exe",
    "arabic": "خادم اللعبة",
    "zero width": "\u200b\u200d\u2060",
    "zero width inside": "game\u200bserver",
    "emoji": "🎮 Game 👨‍👩‍👧",
    "sql": "'; DROP TABLE states; --",
    "path": "../../../../etc/passwd",
    "url": "http://192.168.1.1/",
    "minus": "-1",
    "fraction": "1.5",
    "nan": "NaN",
    "format": "%s%n%x",
}

# What a person can type into a field for a number: the browser makes it a number.
NUMBERS: dict[str, float] = {
    "minus one": -1,
    "zero": 0,
    "eighty and a half": 80.5,
    "above all ports": 65536,
    "10^30": 10**30,
    "nearly infinite": 1.7e308,
    "nearly zero": 1e-300,
}

# What no field gives, but a script can send.
OTHERS: dict[str, Any] = {
    "null": None,
    "true": True,
    "float": 1.5,
    "list": [],
    "long list": LONG_LIST,
    "dictionary": {},
    "nested": {"a": [{"b": [[[[{}]]]]}]},
}

# What Python calls JSON, and Home Assistant's parser does not.
NOT_JSON: dict[str, Any] = {
    "not a number": float("nan"),
    "infinity": float("-inf"),
    "lone surrogate": "\ud800",
}
