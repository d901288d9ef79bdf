import assert from "node:assert/strict";
import { test } from "node:test";
import { ownPath, readOwnCgroups, serviceOf } from "./layout.ts";
import { readCgroupMounts } from "./mounts.ts";

test("readCgroupMounts() finds each tree once, the mount that shows all of it", () => {
  const { trees, mountPoints } = readCgroupMounts(`
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 22 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
40 22 0:31 /docker/1 /mnt/part rw - cgroup cgroup rw,pids
33 31 0:31 / /sys/fs/cgroup/pids rw,relatime shared:2 master:1 - cgroup cgroup rw,pids
34 31 0:32 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:33 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
36 31 0:34 / /mnt/with\\040blank rw - cgroup2 cgroup2 rw,nsdelegate
`);

  assert.deepEqual(
    trees.map(({ mountPoint, version, controllers }) => [mountPoint, version, [...controllers]]),
    [
      ["/sys/fs/cgroup/pids", 1, ["pids"]],
      ["/sys/fs/cgroup/cpu,cpuacct", 1, ["cpu", "cpuacct"]],
      ["/mnt/with blank", 2, []],
    ],
  );
  assert.equal(mountPoints.length, 5);
});

test("readCgroupMounts() finds nothing in what is no mountinfo", () => {
  assert.deepEqual(readCgroupMounts("\n - \nx y - cgroup\n").trees, []);
});

test("ownPath() finds our cgroup by its controllers, below the mount's root", () => {
  const own = readOwnCgroups("4:cpu,cpuacct:/a/b\n1:name=systemd:/s\n0::/u:v\n");
  const common = { mountPoint: "/cg", root: "/a", controllers: new Set(["cpu"] as const) };
  const mount = { ...common, version: 1 } as const;

  assert.equal(ownPath(mount, own), "/b");
  assert.equal(ownPath({ ...mount, version: 2, root: "/" }, own), "/u:v");
});

test("serviceOf() is the nearest service above, or the root", () => {
  assert.equal(serviceOf("/system.slice/aurae.service/main"), "/system.slice/aurae.service");
  assert.equal(serviceOf("/user.slice/u.service/x/y.service"), "/user.slice/u.service/x/y.service");
  assert.equal(serviceOf("/user.slice/session.scope"), "/");
});
