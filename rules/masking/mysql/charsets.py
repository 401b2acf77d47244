"""Character sets of results: a column's description names a collation by number, and its text is in that collation's charset.

Numbers from 1024 on are MariaDB's: an older collation without padding, or one of the UCA 14.0.0.

Spec: `information_schema.COLLATIONS` of MariaDB 10.11 and MySQL 9.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

BINARY: Final = 63


@frozen
class Charset:
    codec: str  # Python's name of it; for one that Python does not know ASCII, which all of those contain
    widest: int  # bytes of its longest character: a column's length counts so many for each


# charset, codec, bytes of the longest character, collations
_TABLE: Final = """
armscii8 ascii 1 32 64 1056 1088
ascii ascii 1 11 65 1035 1089
big5 cp950 2 1 84 1025 1108
cp1250 cp1250 1 26 34 44 66 99 1050 1090
cp1251 cp1251 1 14 23 50-52 1074-1075
cp1256 cp1256 1 57 67 1081 1091
cp1257 cp1257 1 29 58-59 1082-1083
cp850 cp850 1 4 80 1028 1104
cp852 cp852 1 40 81 1064 1105
cp866 cp866 1 36 68 1060 1092
cp932 cp932 2 95-96 1119-1120
dec8 ascii 1 3 69 1027 1093
eucjpms euc_jp 3 97-98 1121-1122
euckr euc_kr 2 19 85 1043 1109
gb18030 gb18030 4 248-250
gb2312 gb2312 2 24 86 1048 1110
gbk gbk 2 28 87 1052 1111
geostd8 ascii 1 92-93 1116-1117
greek iso8859_7 1 25 70 1049 1094
hebrew iso8859_8 1 16 71 1040 1095
hp8 hp_roman8 1 6 72 1030 1096
keybcs2 ascii 1 37 73 1061 1097
koi8r koi8_r 1 7 74 1031 1098
koi8u koi8_u 1 22 75 1046 1099
latin1 cp1252 1 5 8 15 31 47-49 94 1032 1071
latin2 iso8859_2 1 2 9 21 27 77 1033 1101
latin5 iso8859_9 1 30 78 1054 1102
latin7 iso8859_13 1 20 41-42 79 1065 1103
macce mac_latin2 1 38 43 1062 1067
macroman mac_roman 1 39 53 1063 1077
sjis cp932 2 13 88 1037 1112
swe7 ascii 1 10 82 1034 1106
tis620 tis_620 1 18 89 1042 1113
ucs2 utf_16_be 2 35 90 128-151 159 640-642 1059 1114 1152 1174 2560-2815
ujis euc_jp 3 12 91 1036 1115
utf16 utf_16_be 4 54-55 101-124 672-674 1078-1079 1125 1147 2816-3071
utf16le utf_16_le 4 56 62 1080 1086
utf32 utf_32_be 4 60-61 160-183 736-738 1084-1085 1184 1206 3072-3327
utf8mb3 utf_8 3 33 76 83 192-215 223 576-578 1057 1107 1216 1238 2048-2303
utf8mb4 utf_8 4 45-46 224-247 255-323 608-610 1069-1070 1248 1270 2304-2559
"""


# Those of results in which ASCII comes otherwise than as ASCII.
WIDE: Final = {"ucs2": "utf_16_be", "utf16": "utf_16_be", "utf16le": "utf_16_le", "utf32": "utf_32_be"}


def _read() -> dict[int, Charset]:
    found = {}
    for line in _TABLE.strip().splitlines():
        _, codec, widest, *ranges = line.split()
        for each in ranges:
            first, _, last = each.partition("-")
            found.update(dict.fromkeys(range(int(first), int(last or first) + 1), Charset(codec, int(widest))))
    return found


CHARSETS: Final = _read()
