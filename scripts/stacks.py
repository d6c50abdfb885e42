"""Stacks of the environments of samconfig.toml."""

import pathlib

import tomlkit
from botocore.exceptions import ClientError

ROOT = pathlib.Path(__file__).resolve().parent.parent


def name(environment):
    return str(tomlkit.parse((ROOT / "samconfig.toml").read_text())[environment]["global"]["parameters"]["stack_name"])


def exists(cloudformation, stack):
    try:
        cloudformation.describe_stacks(StackName=stack)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return False
        raise
    return True
