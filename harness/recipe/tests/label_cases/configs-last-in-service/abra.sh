export CNF_VERSION=v1
