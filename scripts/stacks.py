"""What the scripts know of the stacks of samconfig.toml's environments, and of the template that they are made of."""

import pathlib

import tomlkit
from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What outlives a stack, by type, with what CloudFormation tells such a resource by.
KEPT = {"AWS::DynamoDB::Table": "TableName", "AWS::KMS::Key": "KeyId"}


def template():
    return yaml_parse((ROOT / "template.yaml").read_text())


def configured(environment, command):
    """What samconfig.toml says of an environment for a command of the SAM CLI."""
    return tomlkit.parse((ROOT / "samconfig.toml").read_text())[environment][command]["parameters"]


def name(environment):
    return str(configured(environment, "global")["stack_name"])


def exists(cloudformation, stack):
    try:
        cloudformation.describe_stacks(StackName=stack)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return False
        raise
    return True
