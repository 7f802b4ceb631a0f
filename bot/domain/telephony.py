"""Which countries Microsoft Entra does not call or text unless a tenant has asked for it.

Knows the published list and how a number begins. Must not know what follows from it, nor pretend to know a
tenant's opt-in: that cannot be read. Source: Entra docs "concept-mfa-regional-opt-in" as of 2025-05-20, which
names calling codes for texts and calls alike.
"""

from __future__ import annotations

from bot.domain.phone import PhoneNumber, country_of

_LISTED = """
7 20 27 30 31 32 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 62 63 64 65 66 81 82 84 86 90 91
92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238
239 240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266
267 268 269 290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378
380 381 382 383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595
596 597 598 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 850 852
853 855 856 880 886 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 992 993 994 995 996
998
"""
_LISTED_AREAS_OF_1 = """
242 246 264 268 284 340 345 441 473 649 658 664 670 671 684 721 758 767 784 787 809 849 868 869 876 939
"""
_CODES = frozenset(_LISTED.split())
_AREAS = frozenset(_LISTED_AREAS_OF_1.split())


def needs_opt_in(number: PhoneNumber) -> str:
    """The country (ISO code, or `+CC`) when it is on the list, else ""."""
    listed = number.national[:3] in _AREAS if number.country == "1" else number.country in _CODES
    return (country_of(number) or f"+{number.country}") if listed else ""
