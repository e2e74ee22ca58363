"""Languages by ISO 639-1 code, however a CRM writes them."""

from __future__ import annotations

from typing import Final

NAMES: Final = {
    "ar": "Arabic", "bg": "Bulgarian", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "et": "Estonian", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian",
    "lv": "Latvian", "ms": "Malay", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_CODES: Final = {name.lower(): code for code, name in NAMES.items()}


def language_code(text: str) -> str:
    """`de` for "German", "de-AT" and "DE"; what is not known stays as it is, in lower case."""
    word = text.strip().lower()
    if word in _CODES:
        return _CODES[word]
    short = word.replace("_", "-").split("-")[0]
    return short if short in NAMES else word
