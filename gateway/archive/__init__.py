"""Archive: documents by digest, holds and retention rules."""
