# What Debian has to bring, by purpose, each with its reason.

build_packages += gcc            # compiles the cell shim
build_packages += make           # runs this
build_packages += musl-tools     # the shim is static: musl keeps it small
build_packages += linux-libc-dev # the kernel's headers, which musl does not bring

check_packages += clang-format   # the layout of the C files

test_packages += clang                  # the shim compiles with both compilers; libFuzzer
test_packages += e2fsprogs              # a disk in a file, which a test lets fail
test_packages += procps                 # ps looks at the processes of a cell
test_packages += protobuf-compiler      # messages for the client of another implementation
test_packages += protobuf-compiler-grpc # and its stubs
test_packages += python3-grpcio         # that client
test_packages += python3-protobuf       # and its messages
test_packages += strace                 # has system calls fail
