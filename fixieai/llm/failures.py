"""Why one call to a model failed, told apart by what helps.

    ModelUnavailable      nothing helps but another model
    ├── TransientFailure  trying again may help
    ├── FieldRefused      asking again without one field of the request may help
    └── AnswerBrokeOff    a part of the answer was already passed on; what came is not the whole

Where they are raised their messages are predicates ("answered 500"); whoever knows the model's
name puts it in front.
"""

from fixieai.errors import ModelUnavailable


class TransientFailure(ModelUnavailable):
    """did not answer properly"""


class FieldRefused(ModelUnavailable):
    """does not take a field of the request"""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class AnswerBrokeOff(ModelUnavailable):
    """broke off in the middle of its answer"""
