// Pages that are not needed at first, in a file of their own. It is loaded in the background soon after the start.

import Compare from "./Compare.svelte";
import Connection from "./Connection.svelte";
import Connections from "./Connections.svelte";
import Hook from "./Hook.svelte";
import Hooks from "./Hooks.svelte";
import Key from "./Key.svelte";
import Keys from "./Keys.svelte";
import Module from "./Module.svelte";
import Modules from "./Modules.svelte";
import NewRoute from "./NewRoute.svelte";
import Record from "./Record.svelte";
import Records from "./Records.svelte";
import RejectedCalls from "./RejectedCalls.svelte";
import Route from "./Route.svelte";
import Routes from "./Routes.svelte";
import Subscriber from "./Subscriber.svelte";
import Subscribers from "./Subscribers.svelte";
import Takeovers from "./Takeovers.svelte";

export { Module, NewRoute };

export const LISTS = {
  modules: Modules,
  connections: Connections,
  hooks: Hooks,
  routes: Routes,
  subscribers: Subscribers,
  records: Records,
  takeovers: Takeovers,
  keys: Keys,
  compare: Compare,
  rejected: RejectedCalls,
};

export const ITEMS = {
  connections: Connection,
  hooks: Hook,
  routes: Route,
  subscribers: Subscriber,
  records: Record,
  keys: Key,
};
