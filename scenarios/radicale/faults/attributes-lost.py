import os

for file, attribute in ("xattr", "user.kind"), ("acl", "system.posix_acl_access"), ("capable", "security.capability"):
    os.removexattr("/data/other/" + file, attribute)
