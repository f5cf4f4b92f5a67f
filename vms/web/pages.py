"""x"""


def shell(request):
    return {}
