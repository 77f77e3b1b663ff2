# The first process of a node, in namespaces of its own: mounts, container runtime, kubelet, proxy.
# Arguments: the node's disk (a directory), and the CPU hierarchies' node group is already entered.
set -eu
disk=$1

mount --make-rprivate /
for each in /run /var/lib /var/log; do
  mount -t tmpfs -o mode=755 tmpfs "$each"
done
mkdir -p /run/lock
for each in /var/lib/containerd /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers; do
  mkdir -p "$each" "$disk$each"
  mount --bind "$disk$each" "$each"
done
mount --make-rshared /var/lib/kubelet

# The hierarchies as they look from inside: the node's own group is their root.
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
for each in $FIN_CONTROLLERS; do
  mkdir "/sys/fs/cgroup/$each"
  case $each in
    systemd) mount -t cgroup -o none,name=systemd cgroup "/sys/fs/cgroup/$each" ;;
    *) mount -t cgroup -o "$each" cgroup "/sys/fs/cgroup/$each" ;;
  esac
done

containerd --config "$disk/containerd.toml" > "$disk/containerd.log" 2>&1 &
until ctr version > /dev/null 2>&1; do
  sleep 0.1
done
for image in "$disk"/images/*.tar; do
  done_mark="$disk/var/lib/containerd/$(basename "$image").imported"
  if [ -f "$image" ] && [ ! -f "$done_mark" ]; then
    ctr --namespace k8s.io images import "$image" > "$disk/import.log" 2>&1
    touch "$done_mark"
  fi
done

"$FIN_KUBE_PROXY" --config "$disk/kube-proxy.yaml" --hostname-override "$FIN_NODE" \
  > "$disk/kube-proxy.log" 2>&1 &
exec "$FIN_KUBELET" --config "$disk/kubelet.yaml" --kubeconfig "$disk/kubelet.kubeconfig" \
  --hostname-override "$FIN_NODE" --node-ip "$FIN_ADDRESS" --cert-dir /var/lib/kubelet/pki \
  > "$disk/kubelet.log" 2>&1
