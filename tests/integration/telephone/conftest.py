from tests.support.asterisk import stand

__all__ = ["stand"]
