"""The section of a configuration that says what is done to a film before each look."""

from __future__ import annotations

import msgspec

from pneumoscope.training.sections import Section, within

__all__ = ["AugmentConfig"]


class AugmentConfig(Section, frozen=True):
    """What is done to a film before each look. 0 switches a kind off.

    Attributes:
        rotation: Degrees either way.
        translation: Share of half the film either way.
        zoom: Natural log of the scale either way.
        aspect: Natural log of width over height either way: the public films were squared, others are not.
        shear: Degrees either way.
        flip: Probability of a horizontal flip.
        crop: Largest share of the side that is cut away.
        contrast: Natural log of the slope either way.
        brightness: Shift in units of full white either way.
        gamma: Natural log of the exponent either way.
        curve: Steepness of an S-shaped film curve either way.
        local: Share of the local mean that is taken away, or doubled.
        local_probability: Of that.
        blur: Largest sigma in pixels.
        blur_probability: Of that.
        sharpen: Largest unsharp-mask amount.
        sharpen_probability: Of that.
        coarse: Largest factor of resampling down and up again; 1 for none.
        coarse_probability: Of that.
        jpeg: Lowest JPEG quality.
        jpeg_probability: Of that.
        noise: Largest standard deviation of grain, in units of full white.
        noise_probability: Of that.
        erase: Largest side of an erased box, as a share of the film's.
        erase_probability: Of that.
        marker: Largest side of a painted marker, likewise.
        marker_probability: Of that.
        border: Largest width of a painted collimation edge, likewise.
        border_probability: Of that.
        outside: Share of the films that get another film's surroundings, laid by the lungs (``training/outside.py``).
        guests: How many sit in a batch, as a share of its films (``data.guests``).
        mixup: Largest share of another film that is mixed in, up to 0.5.
        mixup_probability: Of that.
    """

    rotation: float = 10.0
    translation: float = 0.06
    zoom: float = 0.12
    aspect: float = 0.2
    shear: float = 3.0
    flip: float = 0.5
    crop: float = 0.12
    contrast: float = 0.25
    brightness: float = 0.05
    gamma: float = 0.3
    curve: float = 0.4
    local: float = 0.4
    local_probability: float = 0.3
    blur: float = 1.2
    blur_probability: float = 0.2
    sharpen: float = 1.5
    sharpen_probability: float = 0.2
    coarse: float = 2.0
    coarse_probability: float = 0.2
    jpeg: float = 30.0
    jpeg_probability: float = 0.3
    noise: float = 0.03
    noise_probability: float = 0.2
    erase: float = 0.25
    erase_probability: float = 0.2
    marker: float = 0.14
    marker_probability: float = 0.3
    border: float = 0.1
    border_probability: float = 0.2
    outside: float = 0.0
    guests: float = 0.25
    mixup: float = 0.0
    mixup_probability: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what could not be drawn."""
        for name in ("flip", *(field for field in self.__struct_fields__ if field.endswith("probability"))):
            within(name, getattr(self, name), 0, 1)
        within("crop", self.crop, 0, 0.9)
        within("outside", self.outside, 0, 1)
        within("guests", self.guests, 0, 4)
        within("mixup", self.mixup, 0, 0.5)
        within("coarse", self.coarse, 0)
        within("jpeg", self.jpeg, 0, 100)

    @classmethod
    def none(cls) -> AugmentConfig:
        """Everything off."""
        return cls(**{name: 1.0 if name == "coarse" else 0.0 for name in cls.__struct_fields__})

    def scaled(self, share: float) -> AugmentConfig:
        """The same kinds with the same probabilities, at a share of their strengths; 0 switches off all but the flip.

        Above 1 they are stronger, as far as each can be.
        """
        limits = {"crop": 0.9, "mixup": 0.5}
        changed: dict[str, float] = {}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name == "coarse":
                changed[name] = 1 + (value - 1) * share
            elif name == "jpeg":
                changed[name] = max(1.0, 100 - (100 - value) * share)
            elif name != "flip" and not name.endswith("probability"):
                changed[name] = min(value * share, limits.get(name, float("inf")))
        return msgspec.structs.replace(self, **changed)
