/** Starts the page: the transport of where it runs, the shared state, the frame. */
import './styles/tokens.css';
import './styles/base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { createApi } from './api.ts';
import { createWorkbench } from './state/workbench.ts';
import { electronTransport } from './transport/electron.ts';
import { webSocketTransport } from './transport/webSocket.ts';

const transport = window.workbench ? electronTransport(window.workbench) : webSocketTransport();
const target = document.getElementById('app');
if (!target) throw new Error('index.html has no #app');
mount(App, { target, props: { workbench: createWorkbench(createApi(transport), window.localStorage) } });
