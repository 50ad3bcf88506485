# Home Assistant answers `import voluptuous` with probatio; so do the types.
from probatio import *
