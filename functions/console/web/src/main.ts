import { mount } from "svelte";
import App from "./App.svelte";
import "./style/base.css";
import "./style/frame.css";
import "./style/forms.css";
import "./style/lists.css";
import "./style/parts.css";

const target = document.getElementById("app");
if (target) mount(App, { target });
