"""A tenant of Microsoft Entra ID: who we are to it, and what is asked of its directory."""

import warnings

# What the SDK's own code uses of its libraries is no error of a command whose Python is to take
# warnings for errors (PYTHONWARNINGS). It imports much of it only when it is asked.
warnings.filterwarnings(
    "ignore", "GetQueryParameters is deprecated", DeprecationWarning, "kiota_abstractions"
)
warnings.filterwarnings("ignore", "This class is deprecated", DeprecationWarning, "msgraph")
