"""What the numbers of a picture mean as colours, by FFmpeg's numbers: primaries, transfer, matrix, range."""

from __future__ import annotations

from dataclasses import dataclass

UNSPECIFIED, RGB, LIMITED, FULL = 2, 0, 1, 2
"""No primaries, transfer or matrix given; the matrix of RGB itself; the two ranges."""


@dataclass(frozen=True)
class Matrix:
    """How luma and chroma come from RGB.

    Args:
        name: what FFmpeg's scaler calls it.
        red: weight of red in luma.
        blue: weight of blue in luma.
    """

    name: str
    red: float
    blue: float


UNTAGGED = Matrix("bt601", 0.299, 0.114)
MATRICES = {
    1: Matrix("bt709", 0.2126, 0.0722),
    4: Matrix("fcc", 0.30, 0.11),
    5: Matrix("bt470", 0.299, 0.114),
    6: Matrix("smpte170m", 0.299, 0.114),
    7: Matrix("smpte240m", 0.212, 0.087),
    9: Matrix("bt2020", 0.2627, 0.0593),
    10: Matrix("bt2020", 0.2627, 0.0593),
}
"""By FFmpeg's number of the colour matrix (`AVColorSpace`)."""
RANGES = {LIMITED: "limited", FULL: "full"}
"""By FFmpeg's number of the range (`AVColorRange`)."""

_PRIMARIES = {4: "BT.470 M", 8: "film", 9: "BT.2020", 10: "XYZ", 11: "DCI-P3", 12: "Display P3", 22: "EBU 3213"}
_CURVES = {4: "gamma 2.2", 5: "gamma 2.8", 7: "SMPTE 240M", 8: "linear", 16: "PQ", 17: "SMPTE 428", 18: "HLG"}
"""By FFmpeg's number, what looks otherwise if it is taken for the sRGB that untagged pictures are."""


@dataclass(frozen=True)
class Colours:
    """The four tags of a stream.

    Args:
        primaries: what red, green and blue are (`AVColorPrimaries`).
        transfer: the curve from light to numbers (`AVColorTransferCharacteristic`).
        matrix: see `MATRICES`; 0 for RGB.
        range: see `RANGES`; 0 if it is not given.
    """

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    range: int = 0

    def as_yuv(self) -> Colours:
        """The tags under which YUV is written: those given, as far as they can be had, else BT.709 limited range.

        Untagged colours are BT.709 throughout. A matrix that cannot be computed gives way to that of BT.709, which
        changes numbers, not colours.

        Example:
            >>> Colours(primaries=9, transfer=16, matrix=9, range=2).as_yuv()
            Colours(primaries=9, transfer=16, matrix=9, range=2)
            >>> Colours().as_yuv()
            Colours(primaries=1, transfer=1, matrix=1, range=1)
        """
        if {self.primaries, self.transfer, self.matrix} == {UNSPECIFIED}:
            return Colours(1, 1, 1, self.range or LIMITED)
        if self.matrix in MATRICES:
            return Colours(self.primaries, self.transfer, self.matrix, self.range or LIMITED)
        return Colours(self.primaries, self.transfer, 1, LIMITED if self.matrix == RGB else self.range or LIMITED)

    def as_rgb(self) -> Colours:
        """The tags under which RGB is written: the same primaries and transfer."""
        return Colours(self.primaries, self.transfer, RGB, FULL)

    def beyond_srgb(self) -> list[str]:
        """What of it is lost in a picture without tags, in words.

        Example:
            >>> Colours(primaries=9, transfer=16).beyond_srgb(), Colours(1, 1, 1).beyond_srgb(), Colours().beyond_srgb()
            (['BT.2020', 'PQ'], [], [])
        """
        return [*filter(None, (_PRIMARIES.get(self.primaries), _CURVES.get(self.transfer)))]
