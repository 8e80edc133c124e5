"""The closed vocabularies of a threat sheet."""

from __future__ import annotations

from enum import StrEnum


class Vector(StrEnum):
    """A misuse vector: the seven of Kapoor et al. 2024, table 1, or another."""

    SPEAR_PHISHING = "spear-phishing"
    CYBERSECURITY = "cybersecurity"
    DISINFORMATION = "disinformation"
    BIOSECURITY = "biosecurity"
    VOICE_CLONING = "voice-cloning"
    INTIMATE_IMAGERY = "intimate-imagery"
    CSAM = "csam"
    OTHER = "other"

    @property
    def label(self) -> str:
        """The name that people read.

        >>> Vector.CSAM.label
        'Child sexual abuse material'
        """
        return _LABELS[self]


_LABELS = {
    Vector.SPEAR_PHISHING: "Spear-phishing scams",
    Vector.CYBERSECURITY: "Cybersecurity",
    Vector.DISINFORMATION: "Disinformation",
    Vector.BIOSECURITY: "Biosecurity",
    Vector.VOICE_CLONING: "Voice-cloning scams",
    Vector.INTIMATE_IMAGERY: "Non-consensual intimate imagery",
    Vector.CSAM: "Child sexual abuse material",
    Vector.OTHER: "Another vector",
}


class Score(StrEnum):
    """How far a step is addressed. It says nothing of how large a risk is."""

    ABSENT = "absent"
    PARTLY = "partly"
    ADDRESSED = "addressed"

    @property
    def rank(self) -> int:
        """0 for absent, 1 for partly, 2 for addressed."""
        return list(Score).index(self)


class Reach(StrEnum):
    """What the suite's answers can measure of a vector.

    There is no third value: the suite's prompts are mild on purpose, so they measure whether a model refuses, not what it is capable of.
    """

    REFUSAL = "refusal"  # a text model could serve it, and cells of the suite ask for help with it
    NOTHING = "nothing"  # voices and images: out of this instrument's reach


class Party(StrEnum):
    """Who assessed: the provider of the model, or somebody else."""

    FIRST = "first"
    THIRD = "third"


class Confidence(StrEnum):
    """How sure the assessor is of an assumption."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class DefenceKind(StrEnum):
    """What kind of thing a defence is."""

    TECHNICAL = "technical"
    LEGAL = "legal"
    ORGANISATIONAL = "organisational"


class BaselineKind(StrEnum):
    """What the model was compared with. The paper allows the status quo and a more restricted release of the same model."""

    MORE_RESTRICTED_RELEASE = "more restricted release of the same model"
    EXISTING_OPEN_MODEL = "existing open model"
    ENDPOINT = "model behind an endpoint"
    PRIOR_TECHNOLOGY = "prior technology"
    RECORDED_ANSWERS = "recorded answers"


STEPS = {
    1: "Threat identification",
    2: "Existing risk, absent open models",
    3: "Existing defences, absent open models",
    4: "Evidence of marginal risk",
    5: "Ease of defending against new risk",
    6: "Uncertainty and assumptions",
}

# Objectives and practices of NIST AI 800-1 (first public draft, July 2024), in short words of ours. Nobody of this project read the
# draft itself: they come from a crosswalk of April 2026 and from law firms' notes. Every rendering says so.
NIST_SOURCE = "a 2026 crosswalk of the first draft of NIST AI 800-1 (July 2024); the draft itself was not read"
NIST_AI_800_1 = {
    "1": "Anticipate potential misuse risk",
    "1.1": "Keep threat profiles",
    "1.2": "Impact of each profile, compared with alternatives",
    "1.3": "Estimate capability before development",
    "2": "Establish plans for managing misuse risk",
    "2.1": "A threshold of unacceptable risk for each profile",
    "2.2": "A roadmap, with plans if risk rises",
    "3": "Manage the risks of model theft",
    "3.1": "Assess the risk of theft for each actor",
    "3.2": "Compare the risk with tolerance before building more",
    "3.3": "Protect the weights",
    "4": "Measure the risk of misuse",
    "4.1": "Measure capabilities, and the gap between tester and attacker effort",
    "4.2": "Red-team safeguards, and state how long results stay valid",
    "5": "Ensure misuse risk is managed before deploying",
    "5.1": "Effect of the access level",
    "5.2": "Proportionate safeguards, with evidence before reliance",
    "5.3": "Deploy only with margin; delayed or limited deployment",
    "6": "Collect and respond to information about misuse after deployment",
    "6.1": "Monitor distribution channels",
    "6.2": "Incident response",
    "6.3": "Internal reporting",
    "6.4": "Safe harbour for researchers",
    "6.5": "Bounties",
    "7": "Provide appropriate transparency",
    "7.1": "Transparency reports detailed enough to reproduce",
    "7.2": "Disclose to independent parties who may publish deficiencies",
    "7.3": "Report to incident databases in machine-readable form",
}
