"""Words and numbers that commonly stand for a missing value in files."""

ANYWHERE = ("", "na", "n/a", "#n/a", "#na", "<na>", "nan", "null", "?", ".", "..", "\\n", "missing", "not available")
"""Words, in lower case, that mean a missing value in text too, where no code of their length stands beside them."""

BESIDE_NUMBERS = (
    *ANYWHERE,
    *("n.a.", "unknown", "refused", "don't know", "no data", "no answer"),
    *("not reported", "not stated", "#div/0!", "#value!", "#ref!", "#num!", "#name?"),
)
"""Words, in lower case, that mean a missing value where all others are numbers, dates or booleans."""

DOUBTFUL = ("none", "nil", "-", "--", "---", "*")
"""Words, in lower case, that mean a missing value in some files, and zero or a footnote in others: users say which."""

CODES = (
    *(-1, -7, -8, -9, -66, -77, -88, -97, -98, -99, -777, -888, -997, -998, -999),
    *(-7777, -8888, -9998, -9999, -99999, -999999, 0, 66, 77, 88, 96, 97, 98, 99, 777, 888, 997, 998, 999),
    *(7777, 8888, 9998, 9999, 77777, 88888, 99999, 999999, 9999999, 99999999, 999999999),
)
"""Numbers that surveys write for a missing value."""
