import { hostSuite } from "@aurae/domain/testing";
import { LinuxSetting, skipWithoutKernel } from "./testing/linux-setting.ts";

hostSuite("LinuxHost", async () => new LinuxSetting(), skipWithoutKernel);
