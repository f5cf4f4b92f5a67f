"""What a sentence is: a text, perhaps one that is translated when it is shown."""

from django.utils.functional import Promise

Text = str | Promise
